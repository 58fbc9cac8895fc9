<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 400: the request does not fit the route; `param` names the member. */
final class InvalidRequest extends BadRequestError
{
}
