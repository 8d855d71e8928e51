"""The policies of a Compose site: a bundle that is built and signed on its host."""

from pathlib import Path
from tempfile import TemporaryDirectory

from homeward.compose import BUNDLE_KEYID, Site
from homeward.engine import build_bundle, signing
from homeward.engine.serving import admit
from homeward.governance.saying import POLICIES


def publish(site: Site, sources: Path | None = None) -> str:
    """Sign and put in place what the engine is to load; return its digest.

    Without `sources` the version that was last put there, for a new site the tree's. Raises
    EngineMissingError, BrokenPoliciesError.
    """
    with TemporaryDirectory(prefix="homeward-") as place:
        built = Path(place) / "bundle"
        digest = build_bundle(sources or _last(site), built)
        admit(built, site.opa_token)
        signing.pack(built, site.bundle, site.bundle_keys / signing.PRIVATE, BUNDLE_KEYID)
    return digest


def _last(site: Site) -> Path:
    current = site.path / "policy" / "current"
    if current.is_file():
        return current.parent / current.read_text(encoding="utf-8").strip()
    return POLICIES
