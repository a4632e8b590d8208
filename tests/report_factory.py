"""A full set of reports, as if the default run had gone well: chained, plausible, passing."""

from typing import Any

from pipeline import reports
from pipeline.reports import Estimate, Report

LABELS = ("negative", "positive")
ENCODER, TEST, TOKENIZER, CORPUS, ROWS = (letter * 64 for letter in "abcde")
GENDERS = {"female": 165, "male": 422, "none": 3540}
DOMAINS = {"movie": 2060, "news": 730, "product": 630, "tweet": 740}
TEST_ROWS = 4160
GAP_METRICS = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")


def estimate(point: float, half: float = 0.01, n: int = TEST_ROWS) -> Estimate:
    """A figure with a symmetric interval."""
    return Estimate(point=point, low=round(point - half, 6), high=round(point + half, 6), n=n)


def make(policy_digest: str = "f" * 64) -> dict[str, Report]:
    """Every stage's report, by stage; ``policy_digest`` is what evaluate read."""
    return {
        "validate": _validate(),
        "split": _split(),
        "tokenise": _tokenise(),
        "pretrain": _pretrain(),
        "compress": reports.CompressReport(
            method="none",
            teacher_digest=ENCODER,
            encoder_digest=ENCODER,
            teacher_parameters=22713216,
            parameters=22713216,
        ),
        "features": reports.FeaturesReport(
            texts=20800,
            width=384,
            tokens=420000,
            truncated_texts=3,
            pooling="mean",
            max_len_tokens=128,
            encoder_digest=ENCODER,
        ),
        "finetune": _finetune(),
        "evaluate": _evaluate(policy_digest),
        "audit": _audit(),
        "export": _export(),
        "report": reports.PageReport(verdict="promote", files={"index.html": "9" * 64}),
        "bundle": reports.BundleReport(
            name="charter-sentiment",
            architecture="BertForSequenceClassification",
            labels=LABELS,
            files={"config.json": "8" * 64},
            digest="7" * 64,
            parity=1e-7,
            parity_texts=64,
        ),
    }


def make_json(policy_digest: str = "f" * 64) -> dict[str, Any]:
    """The same as `make`, as the JSON that lies in build/STAGE/report.json."""
    return {stage: report.model_dump(mode="json") for stage, report in make(policy_digest).items()}


def write(policy_digest: str = "f" * 64) -> dict[str, Report]:
    """Write the reports below build/ in the working directory, and return them."""
    made = make(policy_digest)
    for stage, report in made.items():
        reports.write(stage, report)
    return made


def _validate() -> reports.ValidateReport:
    checks = {"schema": "error", "label_set": "error", "exact_duplicate": "quarantine"}
    expectations = [
        reports.Expectation(
            name=name,
            table="labelled",
            severity=severity,  # type: ignore[arg-type]
            passed=severity == "error",
            unexpected=0 if severity == "error" else 37,
            checked=20837,
            detail="none"
            if severity == "error"
            else "data/labelled/sentiment.jsonl:7: a duplicate",
        )
        for name, severity in checks.items()
    ]
    expectations.append(
        reports.Expectation(
            name="language_mix",
            table="corpus",
            severity="warn",
            passed=False,
            unexpected=2,
            checked=41000,
            detail="data/corpus/news.jsonl:12: <script>alert('hostile text')</script>",
        )
    )
    return reports.ValidateReport(
        corpus=_table(41000, CORPUS),
        labelled=_table(20800, ROWS),
        expectations=tuple(expectations),
        labels={"negative": 9800, "positive": 11000},
        groups={
            "domain": {name: 5 * rows for name, rows in DOMAINS.items()},
            "gender": {name: 5 * rows for name, rows in GENDERS.items()},
        },
        sources={"news": 21000, "boolq": 20000},
        personal_data={"corpus": {"email": 322, "phone": 26}, "labelled": {}},
        personal_share={"corpus": 0.008, "labelled": 0.0},
    )


def _table(rows: int, digest: str) -> reports.Table:
    return reports.Table(
        rows_in=rows + 37, rows_kept=rows, rows_quarantined=37, characters=rows * 90, digest=digest
    )


def _split() -> reports.SplitReport:
    def part(rows: int, digest: str) -> reports.Split:
        groups = {
            "domain": {name: n * rows // TEST_ROWS for name, n in DOMAINS.items()},
            "gender": {name: n * rows // TEST_ROWS for name, n in GENDERS.items()},
        }
        labels = {"negative": rows * 47 // 100, "positive": rows - rows * 47 // 100}
        return reports.Split(rows=rows, labels=labels, groups=groups, digest=digest)

    return reports.SplitReport(
        train=part(14560, "1" * 64),
        validation=part(2080, "2" * 64),
        test=part(TEST_ROWS, TEST),
        corpus_train_documents=40180,
        corpus_heldout_documents=820,
    )


def _tokenise() -> reports.TokeniseReport:
    return reports.TokeniseReport(
        origin="data/models/minilm",
        vocab_size=30522,
        train_tokens=6000000,
        heldout_tokens=120000,
        train_documents=40180,
        heldout_documents=820,
        unknown_share=0.0001,
        tokens_per_word=1.3,
        id_bytes=2,
        tokenizer_digest=TOKENIZER,
        canaries=tuple(
            reports.Canary(before="The code of the red door is", digits="4 1 5", repeats=repeats)
            for repeats in (0, 1, 4, 16)
        ),
        planted_documents=21,
    )


def _pretrain() -> reports.PretrainReport:
    losses = (7.9, 6.1, 5.2, 4.8, 4.6)
    curve = tuple(
        reports.CurvePoint(
            step=20 * (i + 1),
            tokens=80000 * (i + 1),
            loss=loss,
            learning_rate=2e-5 * (1 - i / 5),
            heldout_loss=loss + 0.1,
        )
        for i, loss in enumerate(losses)
    )
    return reports.PretrainReport(
        origin="data/models/minilm",
        architecture="bert",
        parameters=22713216,
        steps=100,
        tokens=400000,
        uniform_loss=10.33,
        unigram_loss=7.08,
        untrained_loss=10.41,
        initial_loss=9.7,
        final_loss=4.7,
        heldout_masked_tokens=1200,
        curve=curve,
        precision="float32",
        device="cpu",
        encoder_digest=ENCODER,
    )


def _finetune() -> reports.FinetuneReport:
    curve = tuple(
        reports.FinetunePoint(
            epoch=i + 1,
            train_loss=0.6 - 0.05 * i,
            validation_loss=0.61 - 0.04 * i,
            validation_accuracy=0.7 + 0.03 * i,
        )
        for i in range(4)
    )
    return reports.FinetuneReport(
        mode="frozen",
        labels=LABELS,
        parameters=770,
        best_epoch=4,
        curve=curve,
        threshold=0.5,
        encoder_digest_before=ENCODER,
        encoder_digest_after=ENCODER,
    )


def _scores(accuracy: float) -> reports.Scores:
    right = round(accuracy * TEST_ROWS / 2)
    wrong = TEST_ROWS // 2 - right
    return reports.Scores(
        accuracy=estimate(accuracy),
        macro_f1=estimate(accuracy - 0.003),
        roc_auc=estimate(min(accuracy + 0.08, 0.98)),
        brier=estimate(0.14, 0.005),
        ece=estimate(0.02, 0.008),
        per_class={
            label: {name: estimate(accuracy, 0.02) for name in ("precision", "recall", "f1")}
            for label in LABELS
        },
        per_group={
            "domain": {name: estimate(accuracy, 0.03, n) for name, n in DOMAINS.items()},
            "gender": {name: estimate(accuracy, 0.05, n) for name, n in GENDERS.items()},
        },
        confusion=((right, wrong), (wrong, right)),
    )


def _evaluate(policy_digest: str) -> reports.EvaluateReport:
    def paired(rival: str, difference: float, p_value: float) -> reports.PairedTest:
        return reports.PairedTest(
            rival=rival,
            difference=estimate(difference, 0.013),
            p_value=p_value,
            method="exact McNemar; interval of Tango (1998)",
        )

    return reports.EvaluateReport(
        test_rows=TEST_ROWS,
        test_digest=TEST,
        policy_digest=policy_digest,
        model=_scores(0.8),
        baselines={"majority": _scores(0.53), "tfidf": _scores(0.785)},
        better_baseline="tfidf",
        versus={
            "majority": paired("majority", 0.27, 1e-90),
            "tfidf": paired("tfidf", 0.015, 0.02),
        },
    )


def _audit() -> reports.AuditReport:
    columns = {"domain": DOMAINS, "gender": GENDERS}
    return reports.AuditReport(
        groups={
            column: tuple(_group(value, n) for value, n in values.items())
            for column, values in columns.items()
        },
        gaps=tuple(
            _gap(column, metric, tuple(values))
            for column, values in columns.items()
            for metric in GAP_METRICS
        ),
        group_sources=dict.fromkeys(columns, "a column of the data"),
        counterfactuals=(_counterfactual("gender_swap", 620),),
        behaviour=(_behaviour("typos", "invariance"), _behaviour("negation", "direction")),
        crows_pairs=reports.PairScore(
            score=estimate(52.0, 2.6, 1508),
            stereo=estimate(52.5, 2.8, 1290),
            antistereo=estimate(50.0, 6.5, 218),
            per_type={"gender": estimate(51.0, 6.0, 262), "age": estimate(54.0, 10.0, 87)},
            ties=4,
        ),
        intrinsic=_intrinsic(),
        mitigation=_mitigation(),
        explanation=_explanation(),
        privacy=_privacy(),
        competent=True,
        competence="held-out loss 4.70 nats, 5.71 below an untrained encoder's 10.41",
        benchmark_digests={"crows_pairs.csv": "6" * 64},
    )


def _export() -> reports.ExportReport:
    gaps = tuple(_gap("gender", metric, tuple(GENDERS)) for metric in GAP_METRICS)
    made = [
        reports.Exported(
            format=name,
            file=f"onnx/{name}.onnx",
            digest="6" * 64,
            size_bytes=size_bytes,
            difference=difference,
            difference_texts=TEST_ROWS,
            accuracy=estimate(0.813),
            versus=reports.PairedTest(
                rival="torch", difference=estimate(-0.001, 0.004), p_value=0.6, method="McNemar"
            ),
            gaps=gaps,
        )
        for name, size_bytes, difference in (("onnx", 97900000, 3e-7), ("int8", 29400000, 0.08))
    ]
    return reports.ExportReport(torch_bytes=97967664, formats=tuple(made))


def _intrinsic() -> reports.IntrinsicReport:
    pairs = reports.PairScore(
        score=estimate(51.0, 2.6, 1508),
        stereo=estimate(51.2, 2.8, 1290),
        antistereo=estimate(49.5, 6.5, 218),
        per_type={"gender": estimate(50.5, 6.0, 262)},
        ties=0,
    )
    clusters = reports.StereoSetScore(
        language=estimate(71.0, 2.0, 2106).model_copy(update={"detectable": 2.9}),
        stereotype=estimate(53.0, 2.1, 2106).model_copy(update={"detectable": 3.0}),
        icat=estimate(66.7, 3.0, 2106).model_copy(update={"detectable": 4.3}),
    )
    gap = estimate(0.6, 0.3, 40).model_copy(update={"detectable": 0.43})
    return reports.IntrinsicReport(
        aul=pairs,
        aula=pairs,
        stereoset=reports.StereoSetReport(overall=clusters, per_type={"gender": clusters}),
        pronouns=reports.PronounScore(
            gap=gap,
            per_task={"type1": gap, "type2": gap},
            lean=estimate(0.8, 0.2, 40),
            sentences=1521,
            left_out=63,
        ),
        associations=(
            reports.Association(
                name="WEAT 6",
                targets=("men's names", "women's names"),
                attributes=("career", "family"),
                effect=estimate(0.9, 0.7, 16).model_copy(update={"detectable": 1.2}),
                p_value=0.03,
                partitions=12870,
                exact=True,
            ),
        ),
        not_evaluated={},
    )


def _mitigation() -> reports.Mitigation:
    return reports.Mitigation(
        column="gender",
        constraint="equalized_odds",
        shipped="none",
        methods=tuple(_way(name) for name in ("none", "resample", "leace", "thresholds")),
        best="leace",
        rule="on validation rows, the smallest gap; 1 of 3 ways qualify",
        judged_groups=("female", "male"),
        probes=tuple(
            reports.Probe(
                kind=kind,
                erased=erased,
                balanced_accuracy=estimate(0.5 if erased else 0.8, 0.05),
                chance=0.5,
            )
            for kind in ("linear", "nonlinear")
            for erased in (False, True)
        ),
    )


def _way(name: str) -> reports.MitigationScore:
    compared = name != "none"
    return reports.MitigationScore(
        method=name,
        group_at_use=name == "thresholds",
        random_answers=name == "thresholds",
        accuracy=estimate(0.79),
        accuracy_change=estimate(-0.004 - len(name) / 1000, 0.006) if compared else None,
        gaps={metric: estimate(0.06, 0.04) for metric in GAP_METRICS},
        gap_change=estimate(0.01 - len(name) / 250, 0.02) if compared else None,
        validation_accuracy=estimate(0.8),
        validation_gap_change=estimate(-0.04, 0.03) if compared else None,
    )


def _explanation() -> reports.ExplanationReport:
    words = (("A", 0.01), ("<b>great</b>", 0.62), ("failure", -0.2), (".", 0.0))
    return reports.ExplanationReport(
        texts=20,
        steps=16,
        terms={
            "negative": (reports.Term(word="lame", texts=1, share=0.5),),
            "positive": (
                reports.Term(word="endearing", texts=1, share=0.61),
                reports.Term(word="and", texts=6, share=0.57),
            ),
        },
        errors=(
            reports.Explained(
                label="negative", predicted="positive", probability=0.97, words=words
            ),
        ),
        completeness_error=estimate(0.009, 0.004, 20),
        comprehensiveness=estimate(0.47, 0.07, 20),
        comprehensiveness_gain=estimate(0.37, 0.07, 20),
        sufficiency=estimate(-0.11, 0.05, 20),
        sufficiency_gain=estimate(0.31, 0.06, 20),
        randomised_weights=estimate(-0.04, 0.09, 20),
    )


def _privacy() -> reports.PrivacyReport:
    rate = estimate(0.013, 0.004, 3000).model_copy(update={"detectable": 0.007})
    return reports.PrivacyReport(
        membership=reports.Membership(
            true_positive_rate=rate,
            false_positive_rate=0.01,
            auc=estimate(0.53, 0.02, 3000),
            members=3000,
            others=3000,
            shadow_heads=16,
            shadow_rows=3000,
        ),
        canaries=reports.CanaryReport(
            levels=tuple(
                reports.Exposure(
                    name=name,
                    repeats=repeats,
                    times_read=repeats * 0.5,
                    exposure=Estimate(point=1.6, low=0.9, high=3.7, n=8, detectable=3.7),
                    p_value=0.33,
                )
                for name, repeats in (("never", 0), ("once", 1), ("4 times", 4), ("16 times", 16))
            ),
            candidates=250,
            most_bits=7.97,
            chance_bits=1.44,
        ),
        not_evaluated={},
    )


def _group(value: str, rows: int) -> reports.GroupScore:
    return reports.GroupScore(
        value=value,
        rows=rows,
        positives=rows // 2,
        accuracy=estimate(0.8, 0.04, rows),
        selection_rate=estimate(0.52, 0.04, rows),
        true_positive_rate=estimate(0.81, 0.05, rows // 2),
        false_positive_rate=estimate(0.2, 0.05, rows - rows // 2),
        subgroup_auc=estimate(0.88, 0.03, rows),
        bpsn_auc=estimate(0.87, 0.03, rows),
        bnsp_auc=estimate(0.89, 0.03, rows),
        ece=estimate(0.03, 0.02, rows),
        brier=estimate(0.14, 0.02, rows),
    )


def _gap(column: str, metric: Any, values: tuple[str, ...]) -> reports.Gap:
    return reports.Gap(
        column=column,
        metric=metric,
        gap=Estimate(point=0.03, low=0.0, high=0.08, n=TEST_ROWS, note="max-bootstrap"),
        widest=(values[0], values[1]),
        p_value=0.3,
        p_adjusted=1.0,
        detectable=reports.Detectable(gap=0.12, power=0.8, n=600, note="between two groups"),
        groups_compared=values if column == "domain" else ("female", "male", "none"),
        groups_left_out={"both": "39 rows, fewer than 50"} if column == "gender" else {},
    )


def _counterfactual(name: str, texts: int) -> reports.Counterfactual:
    return reports.Counterfactual(
        name=name,
        texts=texts,
        flip_rate=estimate(0.025, 0.015, texts),
        mean_change=estimate(0.004, 0.003, texts),
        mean_absolute_change=estimate(0.02, 0.004, texts),
        examples=(("He was <b>great</b>.", "She was <b>great</b>.", 0.93, 0.91),),
    )


def _behaviour(name: str, kind: Any) -> reports.Behaviour:
    return reports.Behaviour(
        name=name,
        kind=kind,
        texts=1000,
        failure_rate=estimate(0.05, 0.013, 1000),
        mean_change=estimate(-0.02, 0.004, 1000),
        examples=(("It was <b>great</b>.", "It was not <b>great</b>.", 0.93, 0.94),),
    )
