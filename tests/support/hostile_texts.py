"""What somebody may have typed, or sent, where a name belongs: shown as typed, and nothing else (security D4)."""

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</script><script>alert(1)//",
    "javascript:alert(1)",
    "data:text/html,<b>x",
    "{{7*7}}",
    "{% raw %}",
    "${7*7}",
    "<svg onload=alert(1)>",
    "<!--",
    "]]>",
    "%3Cscript%3E",
    "\\u003cscript>",
    "\N{FULLWIDTH LESS-THAN SIGN}script>",
    "<a href=//x>",
    "=cmd|'/c calc'!A0",
    "&lt;b&gt;",
)
