"""The apps, one file each. `registry` names them; adding an app is adding its file and one line there."""
