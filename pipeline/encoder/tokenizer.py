"""A WordPiece tokenizer trained on the corpus, or one reused; and the corpus as its token ids."""

import collections
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertTokenizer

from pipeline.encoder import source
from pipeline.encoder.tokens import Vocabulary, appending, id_dtype, ids_path, offsets_path
from pipeline.errors import InputError

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # BERT's, ids 0 to 4
MAX_LENGTH_TOKENS = 512  # BERT's, where a tokenizer states none
_MAX_ALPHABET = 1000  # characters with a token of their own; rarer ones become [UNK]
_NO_LIMIT = 1_000_000  # transformers states a huge model_max_length where there is none
_CONTINUES = "##"  # WordPiece: a token that goes on with the word before it
_BEGINS = "\u0120"  # byte-level BPE: a token that begins a word (a space, as it is written there)
_NOT_SAVED = {"is_local", "local_files_only", "max_length", "stride", "truncation_strategy"}

Texts = Callable[[], Iterable[list[str]]]  # the corpus in batches, from its start at each call


@dataclass(frozen=True)
class Encoded:
    """What was written of one part of the corpus."""

    documents: int
    tokens: int
    words: int  # runs of non-space
    unknown: int  # tokens that are [UNK]


def train_tokenizer(texts: Texts, vocab_size: int, lowercase: bool) -> Any:
    """Train BERT's WordPiece tokenizer on ``texts``; equal texts give equal ids.

    By itself the trainer numbers the alphabet in the order of a hash map, which differs between
    runs, and breaks ties between merges by those numbers. So the alphabet is passed to it in a
    fixed order, as special tokens, and only the resulting vocabulary is kept.
    """
    draft = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    draft.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    draft.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    alphabet = _alphabet(draft, texts())
    if len(SPECIAL_TOKENS) + len(alphabet) > vocab_size:
        raise InputError(
            f"tokenise.vocab_size: {vocab_size} does not hold the {len(alphabet)} characters of "
            "the corpus and their continuations; raise it"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS + alphabet,
        limit_alphabet=0,
        show_progress=False,
    )
    draft.train_from_iterator(texts(), trainer)
    return BertTokenizer(
        vocab=draft.get_vocab(), do_lower_case=lowercase, model_max_length=MAX_LENGTH_TOKENS
    )


def _alphabet(draft: Tokenizer, texts: Iterable[list[str]]) -> list[str]:
    """Return the frequent characters in order, then the ``##`` forms of those that words hold."""
    counts: collections.Counter[str] = collections.Counter()
    for text in itertools.chain.from_iterable(texts):
        counts.update(draft.normalizer.normalize_str(text))
    frequent = sorted(counts, key=lambda char: (-counts[char], char))[:_MAX_ALPHABET]
    letters = sorted(char for char in frequent if not char.isspace())
    return letters + [f"##{char}" for char in letters if _is_inside_words(draft, char)]


def _is_inside_words(draft: Tokenizer, char: str) -> bool:
    """Return whether BERT keeps the character in a word, unlike punctuation or Chinese ones."""
    normal = draft.normalizer.normalize_str(f"a{char}a")
    return len(draft.pre_tokenizer.pre_tokenize_str(normal)) == 1


def load_tokenizer(name: str, key: str = "tokenise.tokenizer") -> Any:
    """Load a fast tokenizer from a directory or hub id, with truncation and padding off.

    Raises:
        InputError: where there is none, or it lacks a token that masked language models need.
    """
    source.check_source(name, key)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise source.cannot_load(name, key, error) from error
    if not tokenizer.is_fast:
        raise InputError(f"{key}: {name} is not a fast tokenizer; it needs a tokenizer.json")
    for role in ("pad", "unk", "cls", "sep", "mask"):
        if getattr(tokenizer, f"{role}_token_id") is None:
            raise InputError(f"{key}: {name} has no {role} token; masked language models need one")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    if tokenizer.model_max_length > _NO_LIMIT:
        tokenizer.model_max_length = MAX_LENGTH_TOKENS
    return tokenizer


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """Return the ids of a tokenizer that packing and masking need."""
    return Vocabulary(
        size=len(tokenizer),
        pad_id=tokenizer.pad_token_id,
        cls_id=tokenizer.cls_token_id,
        sep_id=tokenizer.sep_token_id,
        mask_id=tokenizer.mask_token_id,
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
        continuing_ids=_continuing_ids(tokenizer.get_vocab(), set(tokenizer.all_special_ids)),
    )


def _continuing_ids(vocab: Mapping[str, int], special_ids: Collection[int]) -> tuple[int, ...]:
    """Return the ids of tokens that continue a word: WordPiece marks these, BPE the first ones."""
    if any(token.startswith(_BEGINS) for token in vocab):
        found = {i for token, i in vocab.items() if not token.startswith(_BEGINS)}
    else:
        found = {i for token, i in vocab.items() if token.startswith(_CONTINUES)}
    return tuple(sorted(found.difference(special_ids)))


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save without what loading adds, so that saving and loading repeatedly gives equal bytes."""
    for name in _NOT_SAVED & tokenizer.init_kwargs.keys():
        del tokenizer.init_kwargs[name]
    tokenizer.save_pretrained(folder)


def encode_corpus(batches: Iterable[list[str]], tokenizer: Any, folder: Path, part: str) -> Encoded:
    """Write the token ids of every text, without special tokens, and the documents' offsets."""
    backend, unknown_id = tokenizer.backend_tokenizer, tokenizer.unk_token_id
    documents = tokens = words = unknown = 0
    dtype = id_dtype(len(tokenizer))
    with (
        appending(ids_path(folder, part), dtype) as append_ids,
        appending(offsets_path(folder, part), np.int64) as append_offsets,
    ):
        append_offsets(np.zeros(1, np.int64))
        for texts in batches:
            lists = [e.ids for e in backend.encode_batch_fast(texts, add_special_tokens=False)]
            ids = np.fromiter(itertools.chain.from_iterable(lists), dtype)
            append_ids(ids)
            append_offsets(tokens + np.cumsum([len(each) for each in lists]))
            documents += len(texts)
            tokens += len(ids)
            words += sum(len(text.split()) for text in texts)
            unknown += int(np.count_nonzero(ids == unknown_id))
    return Encoded(documents, tokens, words, unknown)
