# SPDX-License-Identifier: Apache-2.0
"""Where alerts and logs go. Each sink is an `events.pipeline.Sink`."""
