"""Prints what scikit-learn says of pairs, NAME.npz with scores and right, and a precision: their average precision, the
highest recall at which the precision is no lower, and the highest threshold of that recall; as JSON."""
import json
import sys

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

pairs = np.load(sys.argv[1])
scores, right = pairs['scores'].ravel(), pairs['right'].ravel()
precision, recall, thresholds = precision_recall_curve(right, scores)
held = precision[:-1] >= float(sys.argv[2])  # of the last point, recall 0, nothing is known
best = recall[:-1][held].max(initial=0)
found = thresholds[held & (recall[:-1] == best)]
print(json.dumps({'average_precision': float(average_precision_score(right, scores)), 'recall': float(best),
                  'threshold': float(found.max()) if best > 0 else None}))
