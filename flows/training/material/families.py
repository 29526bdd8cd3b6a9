"""The typefaces that training fetches: families of open licence by the kind of mark they look like.

Families of the npm registry are packages `@fontsource/<family>`; the others come in Debian
packages. What a registry no longer has is skipped, so the list may be longer than what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a typeface looks like, and thus which marks it stands for."""

    SANS = "sans"
    CONDENSED = "condensed"
    MONO = "mono"
    TECHNICAL = "technical"
    DRAFTING = "drafting"
    STENCIL = "stencil"
    SEGMENTS = "segments"
    PIXEL = "pixel"
    OCR = "ocr"
    TYPEWRITER = "typewriter"
    SLAB = "slab"
    SERIF = "serif"
    HAND = "hand"
    BITMAP = "bitmap"


@dataclass(frozen=True, slots=True)
class DebianFamily:
    """Files of a Debian package, by the pattern of their names, that are one family."""

    package: str
    kind: Kind
    family: str
    pattern: str


NPM: Mapping[Kind, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        Kind.SANS: """
            abel alata albert-sans archivo arimo asap assistant atkinson-hyperlegible barlow
            be-vietnam-pro bowlby-one bowlby-one-sc cabin cantarell carrois-gothic
            carrois-gothic-sc catamaran chivo commissioner cuprum didact-gothic dm-sans
            doppio-one dosis encode-sans epilogue exo-2 familjen-grotesk figtree fira-sans
            francois-one geist-sans gothic-a1 hanken-grotesk heebo hind ibm-plex-sans
            instrument-sans inter istok-web jost kanit karla kite-one lato league-spartan lexend
            libre-franklin m-plus-1p m-plus-rounded-1c maven-pro metrophobic montserrat mukta
            mulish news-cycle noto-sans nunito nunito-sans onest open-sans outfit overpass
            oxygen pathway-extreme plus-jakarta-sans poppins prompt pt-sans public-sans
            questrial quicksand red-hat-text roboto roboto-flex rubik
            ruda ruluko russo-one sarabun schibsted-grotesk signika sofia-sans source-sans-3
            space-grotesk spinnaker tenor-sans titillium-web ubuntu ubuntu-sans urbanist varela
            varela-round voltaire work-sans yantramanav zen-maru-gothic
        """,
        Kind.CONDENSED: """
            anton anton-sc antonio archivo-narrow asap-condensed barlow-condensed
            barlow-semi-condensed bebas-neue big-shoulders-display big-shoulders-text
            cabin-condensed economica encode-sans-condensed encode-sans-semi-condensed
            fira-sans-condensed fira-sans-extra-condensed fjalla-one homenaje
            ibm-plex-sans-condensed khand league-gothic mohave open-sans-condensed oswald
            pathway-gothic-one pragati-narrow pt-sans-narrow rajdhani roboto-condensed
            saira-condensed saira-extra-condensed six-caps sofia-sans-condensed
            sofia-sans-extra-condensed squada-one staatliches stint-ultra-condensed teko
            ubuntu-condensed unica-one
        """,
        Kind.MONO: """
            anonymous-pro azeret-mono b612-mono cascadia-code chivo-mono commit-mono cousine
            dm-mono fira-code fira-mono fragment-mono geist-mono ibm-plex-mono inconsolata
            intel-one-mono iosevka jetbrains-mono kode-mono lekton lilex m-plus-1-code
            m-plus-code-latin martian-mono monaspace-argon monaspace-krypton monaspace-neon
            nanum-gothic-coding noto-sans-mono nova-mono overpass-mono oxygen-mono pt-mono
            red-hat-mono reddit-mono roboto-mono share-tech-mono sometype-mono sono
            source-code-pro space-mono spline-sans-mono syne-mono ubuntu-mono ubuntu-sans-mono
            victor-mono xanh-mono
        """,
        Kind.TECHNICAL: """
            aldrich anta armata audiowide bai-jamjuree baumans bruno-ace bruno-ace-sc
            chakra-petch changa electrolize exo gemunu-libre goldman gruppo iceland jura k2d
            kdam-thmor-pro krona-one michroma monda nova-flat nova-square numans offside
            orbitron oxanium play quantico quattrocento-sans racing-sans-one rationale
            rubik-mono-one saira saira-semi-condensed sansation sarpanch smooch-sans strait
            syncopate tektur tilt-neon tomorrow turret-road unbounded viga wix-madefor-text
            zen-dots
        """,
        Kind.DRAFTING: """
            advent-pro alumni-sans alumni-sans-pinstripe b612 blinker national-park share-tech
        """,
        Kind.STENCIL: """
            allerta-stencil big-shoulders-stencil big-shoulders-stencil-display
            big-shoulders-stencil-text black-ops-one emblema-one saira-stencil-one
            sirin-stencil stardos-stencil stick-no-bills wallpoet
        """,
        Kind.PIXEL: """
            bitcount-grid-single bitcount-prop-single bitcount-single codystar dotgothic16 doto
            geist-pixel handjet jersey-10 jersey-15 jersey-20 jersey-25 pixelify-sans
            press-start-2p silkscreen sixtyfour tiny5 unifont vt323 workbench
        """,
        Kind.TYPEWRITER: """
            courier-prime cutive cutive-mono special-elite
        """,
        Kind.SLAB: """
            aleo alfa-slab-one arvo bevan bitter bree-serif coustard glegoo graduate
            hammersmith-one hepta-slab iceberg josefin-slab kreon maitree patua-one podkova
            roboto-slab rokkitt sanchez scope-one slabo-13px solway ultra
        """,
        Kind.SERIF: """
            cardo crimson-text domine eb-garamond gelasio ibm-plex-serif libre-baskerville lora
            merriweather neuton noto-serif old-standard-tt pt-serif source-serif-4 spectral
            tinos
        """,
        Kind.HAND: """
            caveat-brush coming-soon gloria-hallelujah handlee itim kalam neucha patrick-hand
            permanent-marker schoolbell shadows-into-light-two sriracha
        """,
    }.items()
}

DEBIAN: tuple[DebianFamily, ...] = (
    DebianFamily("fonts-dejavu-core", Kind.SANS, "dejavu-sans", "DejaVuSans.ttf"),
    DebianFamily("fonts-dejavu-core", Kind.SANS, "dejavu-sans", "DejaVuSans-Bold.ttf"),
    DebianFamily("fonts-dejavu-core", Kind.MONO, "dejavu-sans-mono", "DejaVuSansMono*.ttf"),
    DebianFamily("fonts-dejavu-extra", Kind.CONDENSED, "dejavu-condensed", "DejaVuSansCond*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg7-classic", "DSEG7Classic-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg7-classic-mini", "DSEG7ClassicMini-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg7-modern", "DSEG7Modern-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg7-modern-mini", "DSEG7ModernMini-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg14-classic", "DSEG14Classic-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg14-classic-mini", "DSEG14ClassicMini-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg14-modern", "DSEG14Modern-*.ttf"),
    DebianFamily("fonts-dseg", Kind.SEGMENTS, "dseg14-modern-mini", "DSEG14ModernMini-*.ttf"),
    DebianFamily("fonts-freefont-ttf", Kind.MONO, "freemono", "FreeMono*.ttf"),
    DebianFamily("fonts-freefont-ttf", Kind.SANS, "freesans", "FreeSans*.ttf"),
    DebianFamily("fonts-glasstty", Kind.PIXEL, "glass-tty", "*.ttf"),
    DebianFamily("fonts-gnutypewriter", Kind.TYPEWRITER, "gnu-typewriter", "*.[ot]tf"),
    DebianFamily("fonts-3270", Kind.MONO, "ibm-3270", "*.[ot]tf"),
    DebianFamily("fonts-agave", Kind.MONO, "agave", "*.ttf"),
    DebianFamily("fonts-fantasque-sans", Kind.MONO, "fantasque-sans-mono", "*.[ot]tf"),
    DebianFamily("fonts-hermit", Kind.MONO, "hermit", "*.[ot]tf"),
    DebianFamily("fonts-league-mono", Kind.MONO, "league-mono", "*-Regular.[ot]tf"),
    DebianFamily("fonts-liberation", Kind.SANS, "liberation-sans", "LiberationSans-*.ttf"),
    DebianFamily("fonts-liberation", Kind.MONO, "liberation-mono", "LiberationMono-*.ttf"),
    DebianFamily("fonts-mononoki", Kind.MONO, "mononoki", "*.[ot]tf"),
    DebianFamily("fonts-ocr-a", Kind.OCR, "ocr-a", "OCRA*.ttf"),
    DebianFamily("fonts-ocr-b", Kind.OCR, "ocr-b", "OCRB[!EX]*otf"),
    DebianFamily("fonts-opendin", Kind.DRAFTING, "open-din", "*.ttf"),
    DebianFamily("fonts-osifont", Kind.DRAFTING, "osifont", "*.ttf"),
    DebianFamily("fonts-routed-gothic", Kind.DRAFTING, "routed-gothic", "*.ttf"),
    DebianFamily("fonts-urw-base35", Kind.TYPEWRITER, "nimbus-mono", "NimbusMonoPS-*.otf"),
    DebianFamily("fonts-urw-base35", Kind.SANS, "nimbus-sans", "NimbusSans-*.otf"),
    DebianFamily("fonts-urw-base35", Kind.CONDENSED, "nimbus-narrow", "NimbusSansNarrow-*.otf"),
    DebianFamily("fonts-urw-base35", Kind.SANS, "urw-gothic", "URWGothic-*.otf"),
    DebianFamily("xfonts-base", Kind.BITMAP, "x11-fixed", "[4-9]x[0-9]*.pcf.gz"),
    DebianFamily("xfonts-base", Kind.BITMAP, "x11-clean", "clR*x*.pcf.gz"),
)

TEXTURES: tuple[str, ...] = ("nexuiz-textures", "ufoai-textures")
"""Debian packages with photographed surfaces in .pk3 archives."""
