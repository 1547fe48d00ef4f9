"""Serves a small model by llama.cpp's own HTTP server until standard input closes: serve.py MODEL [--endless]

It is a base model, without a chat template and without tool calls: what it says is of no matter. A grammar makes it
say a short line; `--endless` lets it write until its context is full. Prints the address.
"""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 8192
params.n_parallel = 2
params.port = 0
params.endpoint_slots = True
params.sampling.temp = 0
if "--endless" in sys.argv:
    params.sampling.ignore_eos = True
else:
    params.sampling.grammar = xllamacpp.CommonGrammar(
        xllamacpp.common_grammar_type.COMMON_GRAMMAR_TYPE_USER, 'root ::= [a-z]{3,8} " " [a-z]{3,8} "."'
    )
server = xllamacpp.Server(params)
print(f"listening on {server.listening_address}", flush=True)
sys.stdin.read()
