/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stepping through the packed automaton (hauberk/automaton/pack.py writes it).
 *
 * A state is the arena offset of its row, with bit 0 set if no byte leads out of it. The row's own word holds the accept
 * word (low half, always odd) and the next state by default (high half); the word 8*c further on belongs to this row if
 * its low half is the row's offset, and then its high half is the next state for byte c.
 */
#ifndef HAUBERK_AUTOMATON_H
#define HAUBERK_AUTOMATON_H

#include "maps.h"

#define ABSORBING 1u
#define ROW(state) ((state) & ~7u)

static __always_inline u32 step(struct hb_arena a, u32 state, u32 symbol)
{
	u64 w = word_at(a, (u64)state + ((u64)symbol << 3));

	if ((u32)w != state)
		w = word_at(a, state);
	return w >> 32;
}

static __always_inline u32 accept_of(struct hb_arena a, u32 state)
{
	return word_at(a, ROW(state));
}

/* Accept words: bit 0 always, then what the move guard asks, then the decision's row. */
#define ACCEPT_BLOCKED 2u /* an anchored Block names this very path */
#define ACCEPT_BELOW 4u /* an anchored Block names some path below */
#define DECISION(accept) ((accept) & ~7u)

/* Values of a decision's row: bit 0 always. */
#define VALUE_REPLACED 2u /* another row follows, for the class of the program replaced */
#define VALUE_CONDITIONAL 4u /* ownership or terminal matter */

static __always_inline u32 by_class(struct hb_arena a, u32 row, u32 class)
{
	u64 w;

	if (class) {
		w = word_at(a, (u64)row + ((u64)class << 3));
		if ((u32)w == row)
			return w >> 32;
	}
	return word_at(a, row);
}

/* The high half of a decision's row: the class of a program with this path, and whether it is an ELF loader. */
#define PROGRAM_LOADER 0x80000000u

static __always_inline u32 program_at(struct hb_arena a, u32 state)
{
	u32 row = state ? DECISION(accept_of(a, state)) : 0;

	return row ? word_at(a, row) >> 32 : 0;
}

static __always_inline u32 class_of(u32 program)
{
	return program & ~PROGRAM_LOADER;
}

#endif
