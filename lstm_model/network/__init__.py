"""Stage 3: the forecaster, an LSTM anchored on the closed-form linear answer, with calibrated quantiles."""

from lstm_model.network.forecaster import Forecaster, cpu_capability
from lstm_model.network.training import device_here
from lstm_model.network.weather_lstm import WeatherLSTM

__all__ = ["Forecaster", "WeatherLSTM", "cpu_capability", "device_here"]
