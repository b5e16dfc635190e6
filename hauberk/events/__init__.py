# SPDX-License-Identifier: Apache-2.0
"""From the kernel's records to alerts: `record` decodes, `translate` names, `pipeline` hands on."""
