"""Against values that their issuers publish as examples, and the patterns tried on whole texts."""

import random
import string
import time

import pytest

from pipeline.text.pii import NAMES, find_personal, find_values, mask

# Examples of the registers: SWIFT's of IBANs, GB 11643's, the card networks' test numbers.
PUBLISHED = [
    ("email", "jo.doe+x@mail.example.org"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "DE89370400440532013000"),
    ("iban", "NL91 ABNA 0417 1643 00"),
    ("iban", "NO93 8601 1117 947"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555-5555-5555-4444"),
    ("card", "378282246310005"),
    ("card", "3530111333300000"),
    ("cn_resident_id", "11010519491231002X"),
    ("us_ssn", "536-90-4399"),
    ("fr_social_security", "2 95 10 99 126 111 93"),
    ("br_cpf", "390.533.447-05"),
    ("in_aadhaar", "2341 2341 2346"),
    ("es_dni", "54362315K"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "+1 (628) 400-7370"),
    ("ip_address", "8.8.4.4"),
    ("ip_address", "2001:4860:4860::8888"),
]
UNCHECKED = ("email", "phone", "ip_address", "us_ssn", "br_cpf")  # a CPF misses some of 0 and 1
NONE_OF_IT = [
    "In 1999, 12,000 people paid 1,234,567.89 between 10:15:30 and 11:45, up 3.5 to 4.5",
    "version 10.4.2.1.7, section 1.2.3.4.5, host 192.168.0.1 and 127.0.0.1",
    "ISBN 978-3-16-148410-0, order 1234567890123456, 078-05-1120, 666-12-3456, 900-12-3456",
    "@someone said +1 and +100 or 2+2222222 at 5@home",
    "std::vector<int> and a::b, noon::night",
]


@pytest.mark.parametrize(("kind", "value"), PUBLISHED)
def test_a_published_example_is_found_as_what_it_is(kind: str, value: str) -> None:
    assert find_values(f"Write ({value}), THEN wait.") == [(kind, value)]
    assert find_values(value) == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [pair for pair in PUBLISHED if pair[0] not in UNCHECKED],
)
def test_a_changed_digit_is_found_by_the_check_digit(kind: str, value: str) -> None:
    """Each of these schemes finds any single wrong digit; a prefix or a date may do so first."""
    for place, old in enumerate(value):
        if not old.isdigit():
            continue
        for new in set(string.digits) - {old}:
            changed = value[:place] + new + value[place + 1 :]
            assert kind not in dict(find_values(changed)), changed


@pytest.mark.parametrize("text", NONE_OF_IT)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert find_values(text) == []


def test_capitals_after_an_account_number_are_not_part_of_it() -> None:
    value = "BE68 5390 0754 7034"
    assert find_values(f"TO {value} PAID THIS WEEK") == [("iban", value)]


def test_a_value_of_two_kinds_is_counted_once() -> None:
    """A resident number of Gansu, 62, whose digits are a valid UnionPay card's as well."""
    assert find_values("620102198301071233") == [("cn_resident_id", "620102198301071233")]
    assert find_personal(["620102198301071233"]).counts.sum() == 1


def test_passages_about_signs_hold_all_that_whole_texts_hold() -> None:
    """The quick search, in all texts at once, against each pattern on each whole text."""
    draw = random.Random(1)
    fill = ["the", "é", "12", "2016", "a.b", ":", "-", "漢字", "x" * 90, "9" * 30, "\n"]
    texts = []
    for _ in range(400):
        words = draw.choices(fill, k=draw.randrange(60))
        for _ in range(draw.randrange(4)):
            words.insert(draw.randrange(len(words) + 1), draw.choice(PUBLISHED)[1])
        texts.append(" ".join(words))
    found = find_personal(["", *texts, *NONE_OF_IT])
    for row, text in enumerate(["", *texts, *NONE_OF_IT]):
        values = find_values(text)
        counts = [sum(kind == name for kind, _ in values) for name in NAMES]
        assert found.counts[row].tolist() == counts, text
        masked = {f"{kind} {mask(value)}" for kind, value in values} or {""}
        assert found.masked[row] in masked
    assert found.counts.sum(axis=0).all()  # each kind was there to be missed


def test_few_random_numbers_pass_for_anything() -> None:
    """Of 16 random digits Luhn passes a tenth, and an issuer's prefix has a quarter of those."""
    draw = random.Random(2)
    texts = ["".join(draw.choices(string.digits, k=16)) for _ in range(4000)]
    assert (find_personal(texts).counts.sum(axis=1) > 0).mean() < 0.04


def test_a_masked_value_shows_two_characters() -> None:
    assert mask("536-90-4399") == "53*-**-****"
    assert mask("jo.doe@mail.org") == "jo.***@****.***"
    found = find_personal(["", "call +44 20 7946 0958 or 8.8.4.4"])
    assert found.masked.tolist() == ["", "phone +4* ** **** ****"]


@pytest.mark.parametrize("run", ["a", "1", "A1", "1 ", "+1", "a@", "a.", "1.", ":", "a-"])
def test_patterns_take_linear_time_on_long_runs(run: str) -> None:
    """A pattern that can begin anywhere in a run, and goes to its end, takes its square."""
    started = time.process_time()
    find_values(run * (20_000 // len(run)) + "@")
    assert time.process_time() - started < 1
