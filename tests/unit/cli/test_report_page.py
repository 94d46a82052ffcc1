from base64 import b64encode

from rl_editor.cli.report_page import Table, command, folded, image, page, paragraph, sound


def test_a_page_needs_nothing_beside_it() -> None:
    whole = page("A <song>", [image(b"\x89PNG", "a picture"), sound(b"ID3", "a sound")])
    assert "<title>A &lt;song&gt;</title>" in whole
    for kind, content in (("image/png", b"\x89PNG"), ("audio/mpeg", b"ID3")):
        assert f'src="data:{kind};base64,{b64encode(content).decode()}"' in whole
    assert whole.count("src=") == 2
    assert "href" not in whole
    assert "//" not in whole


def test_what_is_told_stays_text() -> None:
    name = '<script>"&'
    for html in (paragraph(name), command(name), image(b"", name), sound(b"", name), Table((name,), [(name,)]).html()):
        assert "<script>" not in html
        assert "&lt;script&gt;&quot;&amp;" in html


def test_a_table_without_rows_is_nothing() -> None:
    assert folded("joins (0)", Table(("at",), []).html()) == ""


def test_numbers_stand_to_the_right() -> None:
    html = Table(("figure", "last"), [("val/overlap", "0.5")], frozenset({1})).html()
    assert "<td>val/overlap</td><td class=number>0.5</td>" in html
