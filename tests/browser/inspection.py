"""What a page is held to in a browser: the policy, axe, a phone's width, life without scripts."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

REFUSED = "Failed to load resource"
VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# axe itself adds styles to a page to look at those it cannot read, and the policy forbids that.
QUIET: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
COLOURS = QUIET | {"runOnly": ["color-contrast", "link-in-text-block"]}
# Width moves things and scheme colours them; what a phone hides is looked at in both schemes.
LOOKS = ((1440, "light", QUIET), (1440, "dark", COLOURS), (390, "dark", QUIET))
# An animation of a page that the browser does not draw just then never finishes.
SETTLED = """() => Promise.race([
  Promise.allSettled(document.getAnimations().map((each) => each.finished)),
  new Promise((done) => setTimeout(done, 2000)),
])"""
# What has left a list while its page is looked at is dimmed, as what cannot be used is.
JUDGED = """options => axe.run({
  include: [["html"]], exclude: [["tr.has-left"], ["tr.is-gone"], ["section.is-gone"]],
}, options).then(found => found.violations)"""
# The page itself must not move sideways; what is wider scrolls in a box of its own.
WIDER = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return "";
  const boxes = [...document.body.querySelectorAll("*")];
  const far = boxes.filter((box) => box.getBoundingClientRect().right > root.clientWidth + 1);
  const said = far.slice(-1).map((box) => box.outerHTML.slice(0, 120));
  return `${root.scrollWidth} wide: ${said}`;
}"""
# Buttons that no form, popover or dialog answers do nothing without scripts.
DEAD = """() => [...document.querySelectorAll("button")]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }))
  .filter((each) => !(each.type === "submit" && each.form))
  .filter((each) => !each.hasAttribute("popovertarget") && !each.hasAttribute("commandfor"))
  .map((each) => each.outerHTML.slice(0, 120))"""


def listened(page: Page) -> list[str]:
    """What the browser complains about from here on, but for an answer that is a refusal."""
    complaints: list[str] = []
    page.add_init_script(VIOLATIONS)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

    def heard(said: Any) -> None:
        if said.type == "error" and REFUSED not in said.text:
            complaints.append(f"{page.url}: {said.text}")

    page.on("console", heard)
    return complaints


def objections(page: Page) -> list[str]:
    """What axe objects to, and whether the page overflows, without loading it again."""
    found = []
    page.evaluate(Axe().axe_script)
    for width, scheme, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.evaluate(SETTLED)
        # A live page may move while it is looked at: what is wrong with it is so at two looks.
        if page.evaluate(JUDGED, options):
            found += [
                f"{page.url} at {width}, {scheme}: {each['id']} {each['nodes'][0]['html'][:160]}"
                for each in page.evaluate(JUDGED, options)
            ]
        if wider := page.evaluate(WIDER):
            found.append(f"{page.url} at {width}: {wider}")
    return found


def unreached(page: Page) -> list[str]:
    """What somebody with a keyboard alone would miss: the way past the navigation."""
    past = page.locator("a.skip")
    if not past.count():
        return []
    past.focus()
    page.keyboard.press("Enter")
    inside = page.evaluate("document.activeElement.id === 'main'")
    return [] if inside else [f"{page.url}: its first link does not lead past the navigation"]


def lifeless(page: Page) -> list[str]:
    """What a page promises and does not keep where scripts do not run; also a phone's width."""
    found = [f"{page.url} without scripts: {each}" for each in page.evaluate(DEAD)]
    if page.locator("h1").count() != 1:
        found.append(f"{page.url}: not one heading without scripts")
    if wider := page.evaluate(WIDER):
        found.append(f"{page.url} without scripts: {wider}")
    return found


def tab_to(page: Page, wanted: Locator, most: int = 60) -> None:
    """Reach it as somebody without a pointer does."""
    for _ in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {wanted}")
