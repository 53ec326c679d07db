"""The declared predictions: whether purchases are predicted, and from how many customers on."""

from __future__ import annotations

from pydantic import Field

from conf.model import Declared


class PredictionsConfig(Declared):
    """``conf/predictions.yml``; without the file nothing is predicted.

    ``least_customers`` must have bought on two days or more before parameters are fitted: fewer do not tell habits from
    chance. Of more than ``most_customers`` a fixed share is fitted on, chosen by a hash; all of them get predictions.
    """

    least_customers: int = Field(default=100, ge=10)
    most_customers: int = Field(default=2_000_000, ge=1000)
