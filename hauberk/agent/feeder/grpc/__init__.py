# SPDX-License-Identifier: Apache-2.0
"""KubeArmor's gRPC services, for the clients that there are."""
