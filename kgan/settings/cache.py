"""Settings of `kgan cache`."""

from dataclasses import dataclass

import tyro

from kgan.settings.groups import Messages


@dataclass(frozen=True, kw_only=True)
class CacheSettings(Messages):
    """List what lies in the cache folder (KGAN_CACHE), or clear it; all of it can be made again."""

    sets: tyro.conf.Positional[tuple[str, ...]] = ()
    """With --clear: the sets to remove, by the first letters of their names; default all."""
    clear: bool = False
    """Remove what no process uses now."""

    def check(self) -> None:
        super().check()
        if self.sets and not self.clear:
            raise ValueError(f"sets are named to remove them: kgan cache {self.sets[0]} --clear.")
