# SPDX-License-Identifier: Apache-2.0
"""What a policy means: normalised rules, their precedence, and `decide`. Pure: nothing here touches the world."""
