/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether arrays are what core.h says of them: looked at before anything else is done with them, so that whatever is
 * given, nothing outside of them is read or written. Their lengths are taken on trust.
 */
#ifndef HAUBERK_AUTOMATON_SOUND_H
#define HAUBERK_AUTOMATON_SOUND_H
#include <stdbool.h>

#include "core.h"

bool keys_are_sound(const struct core_keys *keys, const struct core_shapes *shapes);
bool shapes_are_sound(const struct core_shapes *shapes);
bool tables_are_sound(const struct core_tables *tables);

#endif
