"""Sheets: one picture that shows a person what markwatch did, drawn with Pillow alone.

`ink` has the colours and the letters, `layout` puts blocks beside and below each other, `pictures`,
`evidence` and `verdicts` draw the blocks, `explained` and `failures` are the two sheets, and
`saving` writes one. A block is an RGB picture on white; nothing here reads or decides anything.
"""
