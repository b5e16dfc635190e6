// SPDX-License-Identifier: Apache-2.0
/*
 * Whether arrays are what they are said to be. See sound.h.
 */
#include "sound.h"

#include <string.h>

bool keys_are_sound(const struct core_keys *keys, const struct core_shapes *shapes)
{
	uint32_t begin = 0, before = 0;

	for (uint32_t i = 0; i < keys->n; i++) {
		uint32_t end = keys->end[i], shared;

		if (end < begin || (keys->shape[i] >= 0 && (uint32_t)keys->shape[i] >= shapes->n))
			return false;
		if (memchr(keys->text + begin, 0, end - begin))
			return false;
		if (i) {
			shared = end - begin < begin - before ? end - begin : begin - before;
			int order = memcmp(keys->text + before, keys->text + begin, shared);

			if (order > 0 || (!order && end - begin <= begin - before))
				return false;
		}
		before = begin;
		begin = end;
	}
	return true;
}

static bool row_is_sound(uint32_t states, uint32_t usual, const uint8_t *symbols, const uint32_t *targets, uint32_t n)
{
	if (usual >= states || n >= 255)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (targets[i] >= states || !symbols[i] || (i && symbols[i - 1] >= symbols[i]))
			return false;
	return true;
}

bool shapes_are_sound(const struct core_shapes *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t states = s->begin[i + 1] - s->begin[i];

		if (s->begin[i] >= s->begin[i + 1] || s->dead[i] >= (int64_t)states)
			return false;
		for (uint32_t q = s->begin[i]; q < s->begin[i + 1]; q++)
			if (s->first[q] > s->first[q + 1] ||
			    !row_is_sound(states, s->usual[q], s->symbols + s->first[q], s->targets + s->first[q],
					  s->first[q + 1] - s->first[q]))
				return false;
	}
	return true;
}

bool tables_are_sound(const struct core_tables *t)
{
	for (uint32_t s = 0; s < t->states; s++)
		if (t->first[s] > t->edges || t->count[s] > t->edges - t->first[s] || t->accept[s] >= t->sets ||
		    !row_is_sound(t->states, t->usual[s], t->symbols + t->first[s], t->targets + t->first[s],
				  t->count[s]))
			return false;
	for (uint32_t i = 0, end = 0; i < t->chains; i++) {
		uint32_t begin = t->chain[2 * i], length = t->chain[2 * i + 1];

		if (begin < end || begin >= t->states || !length || length > t->states - begin)
			return false;
		end = begin + length;
		for (uint32_t s = begin; s < end; s++)
			if (t->count[s] != 1 || (s + 1 < end && t->targets[t->first[s]] != s + 1))
				return false;
	}
	return true;
}
