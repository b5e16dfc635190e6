# SPDX-License-Identifier: Apache-2.0
"""From a service's description to what a server calls for its methods.

Answers are bytes already: an event goes to many clients and is encoded once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

Context: TypeAlias = "grpc.aio.ServicerContext[Any, bytes]"
Answer: TypeAlias = Callable[[Any, Context], Awaitable[bytes | None]]
"""Takes the request. Returns the answer's bytes, or writes those of a stream to the context."""
Answers: TypeAlias = Mapping[str, Answer]


def handler(service: ServiceDescriptor, answers: Answers) -> grpc.GenericRpcHandler:
    """What a server has to be given. Every method of the service has to have its answer."""
    methods = {
        method.name: _method(method, answers[method.name]) for method in service.methods_by_name.values()
    }
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _method(method: MethodDescriptor, answer: Answer) -> "grpc.RpcMethodHandler[Any, Any]":
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    found: grpc.RpcMethodHandler[Any, Any] = make(
        answer,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=None,
    )
    return found
