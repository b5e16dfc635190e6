# SPDX-License-Identifier: Apache-2.0
"""What a policy means: normalised rules, their precedence, and `decide`. Nothing here touches the world."""
