/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What C does for hauberk.automaton: what has to be done for each state, of which there may be a million.
 *
 * Pure functions over arrays, without input or output. Everything below the includes is also given to cffi
 * (scripts/emit_shim.py), so a declaration is written once. A function that can fail returns a negative errno: -EINVAL
 * for arrays that contradict each other, -ENOMEM. None of them keeps a pointer of the caller.
 */
#ifndef HAUBERK_AUTOMATON_CORE_H
#define HAUBERK_AUTOMATON_CORE_H
#include <stdint.h>

/* --- an automaton (core.c) --- */

/*
 * The literal beginnings of patterns, ascending, each once, without NUL bytes: that of key i ends at text + end[i],
 * where the next one begins. `literal`: whether patterns end there; `shape`: the shape that begins there, or -1.
 */
struct core_keys {
	uint32_t n;
	const uint8_t *text;
	const uint32_t *end;
	const uint8_t *literal;
	const int32_t *shape;
};

/*
 * Minimal automata, one after the other: shape i has the states begin[i] to begin[i + 1] - 1, and in `usual`,
 * `targets` and `dead` they are counted from its first. State q goes to `usual[q]`, but on the bytes
 * symbols[first[q]] to symbols[first[q + 1] - 1], which ascend, to the `targets` beside them. `dead` is -1 if the
 * shape has no such state.
 */
struct core_shapes {
	uint32_t n;
	const uint32_t *begin;
	const int32_t *dead;
	const uint32_t *usual;
	const uint32_t *first;
	const uint32_t *accept;
	const uint8_t *symbols;
	const uint32_t *targets;
};

/*
 * An automaton, as compile.py's `Tables` has it. `chains` are pairs. Accept set s is the set `set_parent[s]`, which is
 * less than s, and what the key `set_key[s]` adds: its literal patterns, or, if set_own[s] is not 0, what the shape's
 * accept set of that number stands for. Set 0 is empty, and -1 of everything.
 */
struct core_tables {
	uint32_t start, states, edges, chains, absorbing, sets;
	uint32_t *usual, *first, *accept, *targets;
	uint8_t *count, *symbols;
	uint32_t *chain, *absorbs;
	uint32_t *set_parent, *set_key, *set_own;
};

/* Makes the automaton. -E2BIG: it would have more than `limit` states. core_free_tables() in any case. */
int core_compile(const struct core_keys *keys, const struct core_shapes *shapes, uint32_t limit,
		 struct core_tables *out);
void core_free_tables(struct core_tables *tables);

/*
 * below[s] becomes 1 if bytes that begin with a slash lead from state s to one whose accept set `meets`, else 0.
 * `meets` has `sets` bytes.
 */
int core_live_below(const struct core_tables *tables, const uint8_t *meets, uint8_t *below);

/* Gives each state what `of_set` has for its accept set, with the bits of `more` for the state itself. */
int core_spread(const struct core_tables *tables, const uint32_t *of_set, const uint8_t *more, uint32_t *out);

/* --- its image (layout.c) --- */

struct core_image {
	uint32_t *words;
	uint64_t slots;
};

/*
 * Lays out the rows of all states whose reference is 0, from the slot `slot` on, and sets their references. `accepts`
 * has each state's accept word; absorbing states have references already. Slot 0 lies at the offset `base`.
 * -EDOM: an accept word has not bit 0 set, -EFBIG: a reference would not fit 32 bits. core_free_image() in any case.
 */
int core_layout(const struct core_tables *tables, const uint32_t *accepts, uint32_t *references, uint64_t base,
		uint64_t slot, struct core_image *out);
void core_free_image(struct core_image *image);

#endif
