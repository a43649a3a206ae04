"""Ship a trained model: an ONNX file, and a folder for the Hugging Face hub with a model card.

Needs the extras `onnx`, `hub` and `tensorboard`.
"""

import numpy as np
import onnxruntime

import infoshed
from infoshed.export import export_onnx
from infoshed.hub import HubRun
from infoshed.types import as_input

data = infoshed.load("digits")
run = infoshed.fit(data, epochs=1, out="runs/digits", track="tensorboard")
x = data.tests["unbiased"].x[:100]

# ONNX: run anywhere, with any number of rows.
print(f"torch and onnxruntime differ by {export_onnx(run, 'digits.onnx'):.1g}")
session = onnxruntime.InferenceSession("digits.onnx")
probabilities = np.asarray(session.run(["probabilities"], {"x": as_input(x).numpy()})[0])
print("same classes:", bool((probabilities.argmax(1) == run.predict(x).numpy()).all()))

# The hub: weights, settings, a card with what an audit found; `push_to_hub("me/digits")` uploads.
audit = infoshed.audit_run(run, data, "unbiased", estimator="quick")
HubRun(run, audit).save_pretrained("digits-model")
same = HubRun.from_pretrained("digits-model").run
print("same from the folder:", bool((same.predict(x) == run.predict(x)).all()))
