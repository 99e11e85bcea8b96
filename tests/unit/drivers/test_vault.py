import base64

import pytest

from connector.drivers.vault import AesVault, generate_key

KEY = generate_key("k1")


def test_what_is_sealed_opens_again():
    vault = AesVault([KEY])
    for secret in ("", "a", "pässwörd 🙂", "x" * 10_000):
        sealed = vault.seal(secret, bound_to="shop|token")
        assert vault.open(sealed, bound_to="shop|token") == secret
        assert sealed.startswith("v1.k1.")
        assert len(secret) < 5 or secret not in sealed


def test_every_sealing_is_different():
    vault = AesVault([KEY])
    sealed = {vault.seal("same", bound_to="x") for _ in range(100)}
    assert len(sealed) == 100
    assert len({one.split(".")[2] for one in sealed}) == 100


def test_it_is_bound_to_its_place():
    vault = AesVault([KEY])
    sealed = vault.seal("secret", bound_to="shop-a|token")
    for place in ("shop-b|token", "shop-a|key", "", "shop-a|token "):
        with pytest.raises(ValueError, match="changed, or belongs elsewhere"):
            vault.open(sealed, bound_to=place)


def test_every_bit_counts():
    vault = AesVault([KEY])
    sealed = vault.seal("secret", bound_to="x")
    for index in range(len(sealed)):
        for bit in range(7):
            changed = sealed[:index] + chr(ord(sealed[index]) ^ (1 << bit)) + sealed[index + 1 :]
            with pytest.raises(ValueError, match=r"sealed"):
                vault.open(changed, bound_to="x")


def test_parts_of_two_secrets_do_not_mix():
    vault = AesVault([KEY])
    first = vault.seal("first", bound_to="x").split(".")
    second = vault.seal("other", bound_to="x").split(".")
    for mixed in ([*first[:3], second[3]], [*first[:2], second[2], first[3]]):
        with pytest.raises(ValueError, match="changed"):
            vault.open(".".join(mixed), bound_to="x")


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "v1",
        "v1.k1",
        "v1.k1.a",
        "v1.k1..",
        "v1.k1.a.b",
        "v2.k1.a.b",
        "v1.k1.a.b.c",
        "plain",
        "v1.k1.AAAAAAAAAAAAAAAA.",
        "v1.k1.AAAAAAAAAAAAAAAA.AA==",
        "v1.k1.!!.??",
        "v1.k1.ä.ö",
    ],
)
def test_what_is_no_sealed_secret_is_refused(sealed):
    with pytest.raises(ValueError, match="sealed"):
        AesVault([KEY]).open(sealed, bound_to="x")


def test_keys_are_replaced_one_after_the_other():
    new = generate_key("k2")
    old_vault, both, new_vault = AesVault([KEY]), AesVault([new, KEY]), AesVault([new])
    old = old_vault.seal("secret", bound_to="x")
    assert both.open(old, bound_to="x") == "secret"
    resealed = both.seal("secret", bound_to="x")
    assert resealed.startswith("v1.k2.")
    assert new_vault.open(resealed, bound_to="x") == "secret"
    with pytest.raises(ValueError, match="key"):
        new_vault.open(old, bound_to="x")
    with pytest.raises(ValueError, match="key"):
        old_vault.open(resealed, bound_to="x")


def test_another_key_of_the_same_name_does_not_open():
    sealed = AesVault([KEY]).seal("secret", bound_to="x")
    with pytest.raises(ValueError, match="changed"):
        AesVault([generate_key("k1")]).open(sealed, bound_to="x")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [KEY, KEY],
        ["k1"],
        ["k1:"],
        [":" + KEY.partition(":")[2]],
        ["k.1:" + KEY.partition(":")[2]],
        ["k1:" + base64.b64encode(b"x" * 31).decode()],
        ["k1:" + base64.b64encode(b"x" * 33).decode()],
        ["k1:not base64!"],
    ],
)
def test_bad_keys_are_refused_without_being_quoted(keys):
    with pytest.raises(ValueError, match="vault") as refusal:
        AesVault(keys)
    assert not keys or len(keys[0]) < 5 or keys[0] not in str(refusal.value)


def test_it_shows_no_keys():
    assert KEY.partition(":")[2] not in repr(AesVault([KEY]))
    assert "k1" in repr(AesVault([KEY]))
    with pytest.raises(ValueError, match="key id"):
        generate_key("no.dots")
