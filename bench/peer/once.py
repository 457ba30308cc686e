"""One retrain by the peer, as one process. Usage: python once.py CSV"""

import sys

import pipeline

print(pipeline.retrain(sys.argv[1], ""))
