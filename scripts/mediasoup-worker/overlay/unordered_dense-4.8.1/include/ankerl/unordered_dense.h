// The names of ankerl::unordered_dense that the worker uses, over the standard containers.
//
// The standard ones promise more about iterators and references, and less about order, on which
// nothing in the worker depends (it ran on absl::flat_hash_map, in random order, up to 3.20).
#ifndef KENKYO_UNORDERED_DENSE_H
#define KENKYO_UNORDERED_DENSE_H

#include <cstdint>
#include <functional>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

namespace ankerl::unordered_dense
{
	template<typename T>
	struct hash : std::hash<T>
	{
	};

	// std::hash of an integer is the integer. The worker combines such hashes (of addresses and
	// ports) and expects every bit to have been mixed: this is the finalizer of splitmix64.
	template<typename T>
	    requires std::is_integral_v<T> || std::is_enum_v<T>
	struct hash<T>
	{
		std::size_t operator()(T value) const noexcept
		{
			auto bits = static_cast<std::uint64_t>(value);

			bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
			bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;

			return bits ^ (bits >> 31);
		}
	};

	template<typename Key, typename Value, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using map = std::unordered_map<Key, Value, Hash, Equal>;

	template<typename Key, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using set = std::unordered_set<Key, Hash, Equal>;
} // namespace ankerl::unordered_dense

#endif
