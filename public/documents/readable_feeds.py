"""A feed for somebody who opens it in a browser: /history.atom?view=browser, which the page's own links name.

It is the same feed with a style sheet and a few XHTML elements that can be followed: CSS cannot make a link of <link>, and
browsers are taking XSLT out. Feed readers pass over elements of namespaces that are not theirs (RFC 4287, section 6.3), so
they may have this address too. It has a media type of its own because Chromium shows application/atom+xml and
application/rss+xml as plain text, style sheet or not.
"""

from django.templatetags.static import static
from django.utils.translation import gettext
from lxml import etree

from public.serving.edition import Param

VIEW = {"view": Param("browser")}
XML_TYPE = "application/xml; charset=utf-8"
STYLES = ("css/tokens.css", "css/feed.css")
XHTML = "{http://www.w3.org/1999/xhtml}"
ATOM = "{http://www.w3.org/2005/Atom}"


def make_readable(feed: bytes) -> bytes:
    root = etree.fromstring(feed)
    # RSS has no namespace, and its own address in an element of Atom's.
    own, channel = (ATOM, root) if root.tag == f"{ATOM}feed" else ("", root.find("channel"))
    for entry in channel.findall(f"{ATOM}entry" if own else "item"):
        _add_link(entry, _address(entry.find(f"{own}link")), gettext("Read it on the page"))
    note = etree.Element(f"{XHTML}p")
    note.text = gettext("This is a feed. Give its address to a feed reader, and it shows what is new:") + " "
    _add_link(note, channel.find(f"{ATOM}link[@rel='self']").get("href"))
    channel.find(f"{own}title").addnext(note)
    for name in STYLES:
        root.addprevious(etree.ProcessingInstruction("xml-stylesheet", f'type="text/css" href="{static(name)}"'))
    written: bytes = etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8")
    return written


def _address(link: "etree._Element") -> str:
    return str(link.get("href") or link.text)


def _add_link(parent: "etree._Element", address: str, words: str = "") -> None:
    link = etree.SubElement(parent, f"{XHTML}a", href=address)
    link.text = words or address
