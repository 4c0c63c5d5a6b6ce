"""Collecting scores from the web: slowly, where it is allowed, and so that nothing is asked twice.

`urls` says what is one address, `robots` and `hosts` what may be asked and when, `fetch` asks,
`frontier` remembers, `warc` keeps, `crawler` does it all for one host after the other page.
Where scores come from is in `corpus.sources.sites`; this package knows no site.
"""
