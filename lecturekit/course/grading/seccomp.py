"""The system calls that no answer needs, as a filter for the kernel, made by libseccomp where that is installed."""

import ctypes
import errno
import tempfile
from ctypes.util import find_library

ALLOW, DENY = 0x7FFF0000, 0x00050000 | errno.EPERM
GREATER = 6
LARGEST_FAMILY = 16   # netlink: above are packets, the kernel's crypto, and the virtual machine's own host
DENIED = ("add_key", "request_key", "keyctl",                             # keyrings outlive a process
          "memfd_create", "memfd_secret", "shmget", "msgget", "semget",   # memory that belongs to no process
          "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
          "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "personality", "quotactl", "acct",
          "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen",
          "name_to_handle_at", "open_by_handle_at", "init_module", "finit_module", "delete_module", "kexec_load",
          "swapon", "swapoff", "reboot", "syslog")


class _Compared(ctypes.Structure):
    """libseccomp's scmp_arg_cmp: an argument, a comparison, what it is compared with."""

    _fields_ = [("argument", ctypes.c_uint), ("comparison", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def program():
    """The filter as the bytes of a BPF program, or b"" where there is no libseccomp."""
    try:
        library = ctypes.CDLL(find_library("seccomp") or "libseccomp.so.2")
    except OSError:
        return b""
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    try:
        for name in DENIED:
            _deny(library, context, name)
        _deny(library, context, "socket", _Compared(0, GREATER, LARGEST_FAMILY, 0))
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _deny(library, context, name, *compared):
    """Refuse a call, where it is given, for arguments that compare so. A call that libseccomp does not know is left."""
    number = library.seccomp_syscall_resolve_name(name.encode())
    arguments, deny = (_Compared * len(compared))(*compared), ctypes.c_uint32(DENY)
    if number != -1 and library.seccomp_rule_add_array(context, deny, number, len(compared), arguments):
        raise OSError(f"libseccomp takes no rule for {name}")


def _exported(library, context):
    with tempfile.TemporaryFile() as file:
        if library.seccomp_export_bpf(context, file.fileno()):
            raise OSError("libseccomp wrote no filter")
        file.seek(0)
        return file.read()
