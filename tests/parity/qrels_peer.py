"""Prints what pytrec_eval and ir-measures say of qrels and a run (files as TREC has them), topic by topic, under our names of
the measures, as JSON: [theirs, theirs]. map@r is AP at as many ranks as the topic has relevant documents."""
import json
import sys

import ir_measures
import pytrec_eval
from ir_measures import AP, RR, P, R, Rprec, Success, nDCG

qrels_file, run_file, relevance = sys.argv[1], sys.argv[2], int(sys.argv[3])
CUTOFFS = 1, 5, 10, 100

qrels, run = {}, {}
for judgement in ir_measures.read_trec_qrels(qrels_file):
    qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
for result in ir_measures.read_trec_run(run_file):
    run.setdefault(result.query_id, {})[result.doc_id] = result.score
relevant = {topic: sum(grade >= relevance for grade in grades.values()) for topic, grades in qrels.items()}


def with_cutoffs(names):
    return {f'{ours}@{k}': f'{theirs}_{k}' for ours, theirs in names.items() for k in CUTOFFS}


ours_to_trec = {'map': 'map', 'mrr': 'recip_rank', 'r_precision': 'Rprec',
                **with_cutoffs({'p': 'P', 'r': 'recall', 'hit': 'success', 'ndcg': 'ndcg_cut'})}
depths = ','.join(map(str, sorted(set(relevant.values()) - {0})))
wanted = {'map', 'recip_rank', 'Rprec', f'map_cut.{depths}'} | {f'{name}.{",".join(map(str, CUTOFFS))}'
                                                                for name in ('P', 'recall', 'success', 'ndcg_cut')}
pytrec = {}
for topic, values in pytrec_eval.RelevanceEvaluator(qrels, wanted, relevance_level=relevance).evaluate(run).items():
    pytrec[topic] = {ours: values[theirs] for ours, theirs in ours_to_trec.items()}
    if relevant[topic]:
        pytrec[topic]['map@r'] = values[f'map_cut_{relevant[topic]}']

measures = {'map': AP(rel=relevance), 'mrr': RR(rel=relevance), 'r_precision': Rprec(rel=relevance)}
for k in CUTOFFS:
    measures |= {f'p@{k}': P(rel=relevance) @ k, f'r@{k}': R(rel=relevance) @ k, f'hit@{k}': Success(rel=relevance) @ k,
                 f'ndcg@{k}': nDCG @ k}
names = {measure: name for name, measure in measures.items()}
ir = {}
for found in ir_measures.iter_calc(list(measures.values()), qrels, run):
    ir.setdefault(found.query_id, {})[names[found.measure]] = found.value
print(json.dumps([pytrec, ir]))
