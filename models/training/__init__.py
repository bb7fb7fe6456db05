"""How the bundles in `models/zoo` come to be: the only user of torch (extra `training`).

python -m models.training.data --data DIR --cinc DIR    # PhysioNet recordings to one cache
python -m models.training.train                         # weights in .runs/tcn-s
python -m models.training.export                        # int8 bundle in models/zoo/tcn-s
python -m models.training.evaluate                      # figures on what was set aside
"""
