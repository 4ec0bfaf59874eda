"""What the file system below a folder can do: whether other machines share it, and files that are put there once."""

import os
from collections.abc import Iterable
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
SHARED = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "beegfs", "gpfs"}
    | {"ocfs2", "gfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse"}
)
"""Types of file systems that several machines write to, or whose locks are not to be trusted."""


def shared_type(path: Path, mounts: Iterable[str] | None = None) -> str | None:
    """The type of the file system that holds `path`, if other machines may share it; None: they don't, as far as known.

    `mounts`: lines of Linux's mountinfo; None: this machine's. Other systems do not tell.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return None
    folder, kind, longest = path.absolute(), "", -1
    for line in mounts:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        root = Path(fields[4].replace("\\040", " "))
        # The later of two mounts on one folder hides the other.
        if (root == folder or root in folder.parents) and len(root.parts) >= longest:
            kind, longest = kinds[0], len(root.parts)
    return kind if kind in SHARED else None


def put_once(new: Path, path: Path) -> bool:
    """Put the whole file `new` at `path`, unless there is one; False: another process was faster, and its file stays.

    By a hard link, which no process can come between. Where there are none (exFAT, some SMB and FUSE mounts), under a
    lock: `new` is moved away then. Raises OSError.
    """
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError:
        return _moved_once(new, path)
    return True


def _moved_once(new: Path, path: Path) -> bool:
    from filelock import FileLock

    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return False
        new.rename(path)
    return True
