import subprocess
import sys


def test_light_import():
    """Who imports the rules loads neither bs4 nor soupsieve nor jmespath before rules are read."""
    heavy = "{'bs4', 'soupsieve', 'jmespath', 'turbohtml'}"
    code = f"import sys, scraper.parse.rules; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
