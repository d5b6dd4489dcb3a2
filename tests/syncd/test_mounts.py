from __future__ import annotations

from syncd.mounts import Mount, mount_of, parse_mounts

TEXT = r"""23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
41 23 0:37 / /srv/models rw - nfs4 nas:/models rw,vers=4.2
55 23 8:17 / /media/us\040er/my\134stick ro,nosuid - vfat /dev/sdb1 ro
60 23 0:40 / /srv rw master:2 propagate_from:3 - tmpfs tmpfs rw
nonsense
"""


def test_each_line_is_a_mount() -> None:
    assert parse_mounts(TEXT) == (
        Mount("/", "ext4", "/dev/sda1", "8:1"),
        Mount("/srv/models", "nfs4", "nas:/models", "0:37"),
        Mount("/media/us er/my\\stick", "vfat", "/dev/sdb1", "8:17"),
        Mount("/srv", "tmpfs", "tmpfs", "0:40"),
    )


def test_a_path_is_on_the_deepest_mount_above_it() -> None:
    mounts = parse_mounts(TEXT)
    kinds = {
        path: (mount_of(path, mounts) or mounts[0]).kind
        for path in ("/var", "/srv/x", "/srv/models/a", "/srv/modelsx", "/srv")
    }
    assert kinds == {
        "/var": "ext4",
        "/srv/x": "tmpfs",
        "/srv/models/a": "nfs4",
        "/srv/modelsx": "tmpfs",
        "/srv": "tmpfs",
    }
    assert mount_of("/x", ()) is None


def test_what_is_mounted_over_something_counts() -> None:
    over = (Mount("/m", "ext4", "a", "1:1"), Mount("/m", "vfat", "b", "1:2"))
    assert mount_of("/m/x", over) == over[1]
