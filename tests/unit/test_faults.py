"""Whose fault an error is."""

import errno

import pytest
import torch
import torch.distributed as dist
from ray.exceptions import ActorDiedError, OutOfDiskError, RayTaskError
from safetensors import SafetensorError

from raysearch.errors import (
    ConfigError,
    DataError,
    InfrastructureError,
    NonFiniteLossError,
    StorageRefusedError,
)
from raysearch.workers.faults import Fault, fault_of

GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.7]"


def chained(error, cause):
    try:
        raise error from cause
    except Exception as raised:
        return raised


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the number of heads, 3, does not divide 64"),
        ValueError("no such device: cuda:9"),
        KeyError("nccl"),
        NonFiniteLossError("training loss became nan in epoch 1"),
        ConfigError("model.width: too small"),
        DataError("no training rows"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x40 and 64x7)"),
        AssertionError("No space left on device"),
    ],
)
def test_of_the_settings(error):
    assert fault_of(error) is Fault.SETTINGS


def allocate():
    torch.zeros(10**14)


def test_out_of_memory_of_the_machine_as_torch_tells_it():
    with pytest.raises(RuntimeError) as told:
        allocate()
    assert fault_of(told.value) is Fault.MEMORY


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        torch.AcceleratorError("CUDA error: out of memory"),
        dist.DistBackendError("NCCL error: unhandled cuda error, Cuda failure 2 'out of memory'"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_of_the_memory(error):
    assert fault_of(error) is Fault.MEMORY


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(GLOO),
        dist.DistBackendError("NCCL error in: ProcessGroupNCCL.cpp:2356, unhandled system error"),
        dist.DistNetworkError("The client socket has timed out after 600000ms"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/node/cache/part"),
        PermissionError(errno.EACCES, "Permission denied", "/node/cache/part"),
        ActorDiedError(),
        OSError("Can't load tokenizer"),
        TimeoutError(),
    ],
)
def test_of_the_slot(error):
    assert fault_of(error) is Fault.SLOT


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_of_the_disk(number):
    assert fault_of(OSError(number, "told", "/disk/file")) is Fault.STORAGE
    assert fault_of(SafetensorError(f"I/O error: told (os error {number})")) is Fault.STORAGE


@pytest.mark.parametrize(
    "error",
    [
        SafetensorError("Error while serializing: I/O error: No space left on device"),
        InfrastructureError("s3://bucket: cannot be read"),
        StorageRefusedError("s3://bucket: may not be read with these credentials"),
        OutOfDiskError(),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    ],
)
def test_of_the_storage(error):
    assert fault_of(error) is Fault.STORAGE


def test_what_caused_an_error_counts():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert fault_of(chained(RuntimeError("could not save"), full)) is Fault.STORAGE
    assert fault_of(chained(ValueError("no"), ValueError("nor this"))) is Fault.SETTINGS


def test_an_error_of_a_ray_task_is_that_of_its_cause():
    cause = OSError(errno.ENOSPC, "No space left on device")
    error = RayTaskError("read_part", "Traceback ...", cause)
    assert fault_of(error) is Fault.STORAGE
    assert fault_of(error.as_instanceof_cause()) is Fault.STORAGE


def test_an_error_that_leads_to_itself_is_looked_at_once():
    error = ValueError("round")
    error.__context__ = chained(ValueError("and round"), error)
    assert fault_of(error) is Fault.SETTINGS
