# SPDX-License-Identifier: Apache-2.0
# Hauberk's process killed.
#
# Root may signal anybody whom it sees. Some engines take their programs down when they end (Vali-Cyber's kill_agent).
#
# ---
# tries: [D6, E1]
# wins: dead
kill -9 "$AGENT"
