# SPDX-License-Identifier: Apache-2.0
"""What those who write policies work with: trying them out, and proving that they do what was meant."""
