"""Options of a search that takes seconds once its workers are up."""

SMALL = [
    "--space=emohrnet",
    "--max-epochs=2",
    "--final=single",
    "--slots=1",
    "--set=search.inner_folds=1",
    "--set=features.mel.n_mels=20",
    "--set=features.mel.hop_ms=20",
    "--set=training.clip_s=1",
    "--set=model.width=8",
    "--set=model.branches=2",
    "--set=model.blocks=1",
    "--set=model.stem_width=16",
    "--set=model.stem_stride=4",
]
