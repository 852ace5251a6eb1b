"""The schema's history: one file a change, run by ``retinagate migrate`` and at every start of ``up``."""
