"""Writes the schema files."""

from edge.schemas import write

if __name__ == "__main__":
    for path in write():
        print(path.name)
