"""Texts that any model must answer: plain ones, and those that break tokenizers and shapes."""

TEXTS = (
    "The new timetable starts on Monday.",
    "Nobody liked the soup, but the bread was excellent.",
    "",
    "   ",
    "?",
    "Norwick Metals AG sold 1,250,000 shares at $5.20 on 3 March 2026, says Ada Lovelace in London.",
    "Fraglich: Größe, naïve façade, señor, Straße.",
    "中国银行 和 株式会社 ไทย 한국",
    "🚀🚀 to the moon 👩\u200d👩\u200d👧 e\u0301",
    "NUL\x00 tab\t line\nbreak \u00a0 [SEP] [MASK] <s>",
    "supercalifragilisticexpialidocious" * 3,
    "The shares fell and rose again. " * 60,
)
