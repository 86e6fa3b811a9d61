// A small SFU on pion, to compare with: every RTP port given is a track that all viewers get.
//
//	pion-sfu HTTP_PORT RTP_PORT...
//
// POST /offer answers with a line that names the viewer and an SDP offer; POST /answer?viewer=N takes its answer.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v3"
)

const readBufferBytes = 4 << 20

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// forward copies every datagram of one port to a track.
func forward(port int, track *webrtc.TrackLocalStaticRTP) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	check(err)
	check(socket.SetReadBuffer(readBufferBytes))
	go func() {
		packet := make([]byte, 1600)
		for {
			length, _, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = track.Write(packet[:length])
		}
	}()
}

func main() {
	media := &webrtc.MediaEngine{}
	check(media.RegisterDefaultCodecs())
	interceptors := &interceptor.Registry{}
	check(webrtc.RegisterDefaultInterceptors(media, interceptors))
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetLite(true)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(settings))

	var tracks []*webrtc.TrackLocalStaticRTP
	for index, text := range os.Args[2:] {
		port, err := strconv.Atoi(text)
		check(err)
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}, fmt.Sprintf("track-%d", index), "fanout")
		check(err)
		forward(port, track)
		tracks = append(tracks, track)
	}

	var lock sync.Mutex
	var viewers []*webrtc.PeerConnection
	http.HandleFunc("/offer", func(writer http.ResponseWriter, _ *http.Request) {
		connection, err := api.NewPeerConnection(webrtc.Configuration{})
		check(err)
		for _, track := range tracks {
			sender, err := connection.AddTrack(track)
			check(err)
			go func() {
				buffer := make([]byte, 1500)
				for {
					if _, _, err := sender.Read(buffer); err != nil {
						return
					}
				}
			}()
		}
		offer, err := connection.CreateOffer(nil)
		check(err)
		gathered := webrtc.GatheringCompletePromise(connection)
		check(connection.SetLocalDescription(offer))
		<-gathered
		lock.Lock()
		viewers = append(viewers, connection)
		index := len(viewers) - 1
		lock.Unlock()
		fmt.Fprintf(writer, "%d\n%s", index, connection.LocalDescription().SDP)
	})
	http.HandleFunc("/answer", func(writer http.ResponseWriter, request *http.Request) {
		answer, err := io.ReadAll(request.Body)
		check(err)
		index, err := strconv.Atoi(request.URL.Query().Get("viewer"))
		lock.Lock()
		defer lock.Unlock()
		if err != nil || index < 0 || index >= len(viewers) {
			http.Error(writer, "no such viewer", http.StatusNotFound)
			return
		}
		if err := viewers[index].SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
		}
	})
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	check(err)
	fmt.Println("listening")
	check(http.Serve(listener, nil))
}
