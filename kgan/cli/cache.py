"""`kgan cache`: what lies in the cache folder, and its removal."""

import time
from collections.abc import Sequence
from typing import cast

import kgan.cache
from kgan.cache import Entry
from kgan.cli.command_line import Request
from kgan.files import bytes_in_words, size_of
from kgan.names import printable
from kgan.settings import CacheSettings

# As many letters of a name tell sets apart.
_SHORT = 8


def main(request: Request) -> int:
    """The body of `kgan cache`."""
    settings = cast(CacheSettings, request.settings)
    if settings.clear:
        clear(settings.sets)
    else:
        show()
    return 0


def show() -> None:
    """Prints what lies in the cache folder."""
    entries = kgan.cache.entries()
    total = bytes_in_words(sum(entry.size for entry in entries))
    most = bytes_in_words(kgan.cache.limit())
    print(
        f"{kgan.cache.cache_dir()} (KGAN_CACHE names another folder): {len(entries)} prepared "
        f"sets, {total} of at most {most} (KGAN_CACHE_LIMIT, in GB)"
    )
    for entry in entries:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        rest = "" if entry.is_whole else ", not finished"
        print(
            f"  {entry.folder.name[:_SHORT]}  {bytes_in_words(entry.size):>9}  used {used}  "
            f"{printable(entry.what)}: {entry.count:,} samples{rest}"
        )
    for what, folder in kgan.cache.others().items():
        print(f"  {what}: {bytes_in_words(size_of(folder))}")


def clear(names: Sequence[str]) -> None:
    """Removes sets, and what else there is where none is named."""
    entries = kgan.cache.entries()
    for name in names:
        if not any(entry.folder.name.startswith(name) for entry in entries):
            known = ", ".join(entry.folder.name[:_SHORT] for entry in entries) or "none"
            raise ValueError(f"sets must be among those of kgan cache ({known}), got {name!r}.")
    freed = 0
    for entry in entries:
        if not names or any(entry.folder.name.startswith(name) for name in names):
            freed += _removed(entry)
    if not names:
        freed += kgan.cache.remove_others()
    print(f"{bytes_in_words(freed)} freed in {kgan.cache.cache_dir()}")


def _removed(entry: Entry) -> int:
    if kgan.cache.remove(entry):
        return entry.size
    print(f"kept, as a process uses it: {printable(entry.what)}")
    return 0
