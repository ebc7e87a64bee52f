"""Autoencoders with 1, 2 and 16 codes, against as many principal components.

Run it from the repository's root: python examples/codes.py
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import archdsl

CODES = Path(__file__).with_name("codes.arch")


def parts(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images for training, validation and test, in equal shares of every digit."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    train, rest, _, classes = train_test_split(
        images, digits.target, test_size=0.2, stratify=digits.target, random_state=seed
    )
    validation, test = train_test_split(rest, test_size=0.5, stratify=classes, random_state=seed)
    return train, validation, test


def pca_error(train: torch.Tensor, test: torch.Tensor, components: int) -> float:
    """The mean squared error of the test images from their principal components."""
    pca = PCA(components, svd_solver="full").fit(train.flatten(1))
    again = pca.inverse_transform(pca.transform(test.flatten(1)))
    return float(((again - test.flatten(1).numpy()) ** 2).mean())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--codes", type=int, nargs="+", default=[1, 2, 16])
    asked.add_argument("--epochs", type=int)
    asked.add_argument("--seeds", type=int, default=3)
    options = asked.parse_args()

    print("codes  seed  autoencoder      PCA")
    for codes in options.codes:
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            model = archdsl.compile(CODES, codes=codes)
            recipe = archdsl.recipe(CODES, codes=codes)
            recipe = recipe.replace(seed=seed, epochs=options.epochs or recipe.epochs)
            train, validation, test = parts(seed)
            data = tuple(torch.utils.data.TensorDataset(part) for part in (train, validation, test))
            outcome = archdsl.fit(model, data, recipe=recipe, progress=False)
            linear = pca_error(train, test, codes)
            print(f"{codes:5}  {seed:4}  {outcome.test['loss']:11.4f}  {linear:7.4f}")


if __name__ == "__main__":
    main()
