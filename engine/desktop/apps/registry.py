"""Which apps there are, in the order of the icons."""

from engine.desktop.app import App
from engine.desktop.apps.calculator import Calculator
from engine.desktop.apps.files import Files
from engine.desktop.apps.log import Log
from engine.desktop.apps.notes import Notes
from engine.desktop.apps.paint import Paint
from engine.desktop.apps.settings import Settings
from engine.desktop.apps.snake import Snake

APPS: dict[str, type[App]] = {app.name: app for app in (Notes, Files, Paint, Calculator, Settings, Snake, Log)}
