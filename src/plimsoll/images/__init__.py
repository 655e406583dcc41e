"""Read-only file-system images of runtimes, code and layers, built once per content; and the disks for `/tmp`."""

from plimsoll.images.ext4 import open_blank
from plimsoll.images.store import ImageStore, Pruned

__all__ = ["ImageStore", "Pruned", "open_blank"]
