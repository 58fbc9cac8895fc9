<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Credential;
use InnoAI\Internal\Params;
use InnoAI\Model\Explanation;
use InnoAI\Model\Introspection;
use InnoAI\Model\Token;
use InnoAI\Model\Validation;
use InnoAI\Secret;
use InnoAI\Token\TokenEndpoint;

/** Tokens, and what a credential is worth. */
final class Auth extends Resource
{
    /**
     * Mint a pair of tokens, never wider than the API key, which alone authorizes this.
     *
     * `customer_id`: the customer that the tokens act for. `expires_in`: seconds, 60-86,400, 3600 by default.
     * `rotate`: each refresh then gives a successor to the refresh token (RFC 9700 §4.14.2).
     *
     * @param array{
     *     customer_id?: string,
     *     scopes?: list<string|\InnoAI\Enum\Scope>,
     *     expires_in?: int,
     *     rotate?: bool,
     * } $params
     */
    public function token(array $params = []): Token
    {
        return (new TokenEndpoint($this->sender))->ask($params);
    }

    /** A new access token for a refresh token, whose possession is the proof: nothing else is sent. */
    public function refresh(#[\SensitiveParameter] string $refreshToken): Token
    {
        return (new TokenEndpoint($this->sender))->refresh(new Secret($refreshToken));
    }

    /** What this client's credential stands for. Throws the typed 401 or 403 when it is not good. */
    public function validate(): Validation
    {
        return Validation::from($this->sender->object(Call::get('/auth/validate')));
    }

    /**
     * End an access token, a refresh token or an API key by its secret (RFC 7009).
     *
     * One that is unknown or dead is no error.
     */
    public function revoke(#[\SensitiveParameter] string $token): void
    {
        $this->sender->run(Call::ask('/auth/revoke', ['token' => $token], Credential::None));
    }

    /** The claims of a token (RFC 7662); `active` is false for whatever the server does not honour. */
    public function introspect(#[\SensitiveParameter] string $token): Introspection
    {
        $call = Call::ask('/auth/introspect', ['token' => $token], Credential::OfClient);
        return Introspection::from($this->sender->object($call));
    }

    /**
     * How the server would decide on that request, without making it. Needs admin:full.
     *
     * `key`: an id, a secret or a token. `method` and `path`: of the request, as `GET` and `/v1/models`.
     *
     * @param array{key: string, method: string, path: string, ip?: string, model?: string} $params
     */
    public function explain(#[\SensitiveParameter] array $params): Explanation
    {
        $call = Call::ask('/auth/explain', Params::known($params), Credential::OfClient);
        return Explanation::from($this->sender->object($call));
    }
}
