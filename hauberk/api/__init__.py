# SPDX-License-Identifier: Apache-2.0
"""KubeArmor's gRPC interfaces, as its clients speak them: messages and services.

Packages, names, numbers and types are KubeArmor's (github.com/kubearmor/KubeArmor, protobuf/). The message
classes are made from the .proto files when Hauberk is built.
"""
